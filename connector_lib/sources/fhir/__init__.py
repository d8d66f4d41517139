"""FHIR R4 servers as a source: a table a resource type.

==============  ===============================================================
:mod:`.source`  the connector: :class:`~connector_lib.sources.fhir.source.FhirSource`
:mod:`.options` what a connection and a table may be given
:mod:`.schemas` the columns of a table
:mod:`.client`  requests to a FHIR server and what may be wrong with their answers
:mod:`.search`  all resources of a search, page by page
:mod:`.history` what was deleted, from the history of a type
:mod:`.export`  bulk export: its order, its end, and its files
:mod:`.login`   the authentication that the options ask for
==============  ===============================================================
"""
