"""What a table holds, as functions from DataFrame to DataFrame. Every pipeline of a format shares them.

They are made of ``select`` and ``where`` alone, so that open-source Spark keeps track of what depends on what.
"""
