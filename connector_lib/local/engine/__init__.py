"""Spark's pipeline engine inside this process. The only folder that uses internal interfaces of Spark.

``process``    Spark's JVM with its Connect server: started, connected to, ended
``graph``      one pipeline as a graph of the engine: its files loaded, and all that they define run
``registry``   what the files define, kept on its way into the graph
``metrics``    observed metrics of queries and streams, handed out as they come

Tried on pyspark 4.3.0 and 4.2.0. Each file says what it takes from inside.
"""
