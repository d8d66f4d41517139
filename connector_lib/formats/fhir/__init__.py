"""FHIR R4: JSON of resources, Bundles, OperationOutcomes and CapabilityStatements, without the network.

======================  ===============================================================
:mod:`.resource_types`  the names of R4's resource types
:mod:`.bundle`          what a search or a history answered, and the next page of it
:mod:`.outcome`         what a server says is wrong, without what it says of a patient
:mod:`.capability`      which resource types a server has, and of which FHIR version
:mod:`.elements`        the elements of resource types that tables have columns for
======================  ===============================================================
"""
