"""A connector with all that it needs in one Python file, for workspaces that cannot install wheels.

``merging``    from a source to the text of the file
``modules``    the modules that are merged, and where their text is
``scopes``     what each name of a module refers to
``imports``    what an import statement binds
``program``    the modules that are needed, in the order in which they have to stand, and what names mean across them
``flat_names`` a name for everything in the one module, where two modules may have had the same
``rewriting``  the text of a module with these names, otherwise as it was written
``packaged``   data files that are read through importlib.resources
``calls``      calls of functions of other packages
``assembly``   the text of one module that does what several did
``requirements`` what has to be installed where the file is used
``checks``     what the file has to be before anybody gets it
``writing``    the file, where it is asked for
"""
