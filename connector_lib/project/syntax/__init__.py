"""What the text of transformation files says, without running it: on the syntax tree of Python and the words of SQL.

``breaches``       what is found: a rule, and where it is broken
``python_text``    Python text to a syntax tree; lines that belong into notebooks
``sql_text``       SQL text to statements: what they define, read and write
``fixed_names``    what is wrong wherever it stands: names of older or other systems, writes
``values``         what an expression may give, as far as the rules need it
``definitions``    datasets and flows that a pipeline defines
``calls``          what a method of Spark or a name of a package gives when it is called
``dataset_calls``  the calls that define datasets and flows
``operations``     what Python's own operations make of values
``local_modules``  modules of the pipeline's own folder
``expressions``    what expressions give, and what they say about the pipeline
``evaluation``     follows a file as it would run, from value to value
"""
