"""The connector that ``connector-lib new-source`` copies, under another name.

It is whole: it reads the API that ``connector-lib sample records`` serves, and passes the checks of
:mod:`connector_lib.testing.conformance`. Whatever is called "clinic" in it gets the name of the new source.
"""
