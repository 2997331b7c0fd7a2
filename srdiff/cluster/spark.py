# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Enlarges pictures on a Spark cluster, with a process of `srdiff worker` for each of its task slots.

    spark-submit --master spark://HOST:7077 srdiff/cluster/spark.py PICTURES RESULTS --table TABLE
    spark-submit ... srdiff/cluster/spark.py urls.txt 's3://bucket/large?region=...' --table s3a://bucket/table

PICTURES is a folder that all machines see, or a file with one path or URL a line. The result of PICTURES/sea/a.jpg is
RESULTS/sea/a.jpg.png. TABLE gets one row for each picture, in Parquet. Another call with the same TABLE tries only what has
no row, or has failed in a way that may pass.
"""

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import workers
from pyspark.sql import SparkSession, functions
from pyspark.sql.utils import AnalysisException

SPARK_TYPES = {"string": "string", "bool": "boolean", "int64": "long", "double": "double"}
SCHEMA = ", ".join(f"{name} {SPARK_TYPES[kind]}" for name, kind in workers.COLUMNS.items())


def enlarge(command, common, run):
    """The function that Spark calls for each partition."""

    def partition(pictures):
        import workers
        from pyspark import TaskContext

        # The process is kept in a module, since Spark uses a Python process for many tasks, one after the other. So a model
        # is loaded and compiled once for each slot of the cluster. RDD.pipe would start a process for each task.
        if not hasattr(workers, "kept"):
            workers.kept = workers.Worker(command, TaskContext.get().cpus())
        for row in workers.kept.work({**common, **picture.asDict()} for picture in pictures):
            yield row | {"run": run}

    return partition


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", help="folder, or file with one path or URL a line")
    parser.add_argument("results", help="folder or URL for the results")
    parser.add_argument("--table", required=True, help="folder or URL of the table of results")
    parser.add_argument("--worker", default="srdiff worker", help="command line of the worker (default: %(default)s)")
    parser.add_argument("--job", type=json.loads, default={}, help='what all jobs have in common, such as \'{"model": "clean", "seed": 7}\'')
    options = parser.parse_args()

    spark = (
        SparkSession.builder.appName("srdiff")
        .config("spark.scheduler.minRegisteredResourcesRatio", "1")  # so that defaultParallelism counts all executors
        .config("spark.ui.showConsoleProgress", "true")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("WARN")
    spark.sparkContext.addPyFile(workers.__file__)
    jobs = spark.createDataFrame(
        ((picture, workers.under(options.results, name)) for picture, name in workers.pictures(options.pictures)), "input string, output string"
    )
    run = 1
    try:
        before = spark.read.schema(SCHEMA).parquet(options.table)
    except AnalysisException as e:
        if e.getCondition() != "PATH_NOT_FOUND":
            raise
    else:
        run += before.agg(functions.max("run")).head()[0] or 0
        done = latest(before).where(functions.col("ok") | ~functions.col("kind").isin(*workers.PASSING))
        jobs = jobs.join(done, ["input", "output"], "left_anti")
    jobs = jobs.cache()
    count = jobs.count()
    if count:
        # Tasks are small, so that the last ones of a machine keep nobody waiting, but a million pictures are not a million tasks.
        tasks = max(min(count, 8 * spark.sparkContext.defaultParallelism), count // 256)
        rows = jobs.repartition(tasks).rdd.mapPartitions(enlarge(options.worker, options.job, run))
        spark.createDataFrame(rows, SCHEMA).write.mode("append").parquet(options.table)

    table = latest(spark.read.schema(SCHEMA).parquet(options.table))
    made = functions.count_if((functions.col("run") == run) & functions.col("made"))
    counts = table.agg(functions.count_if("ok"), made).head()
    failures = table.where(~functions.col("ok"))
    status = workers.summary(*counts, dict(failures.groupBy("kind").count().collect()), failures.take(20))
    spark.stop()
    sys.exit(status)


def latest(table):
    """The last row of each result."""
    last = functions.max_by(functions.struct(*workers.COLUMNS), "run").alias("row")
    return table.groupBy("output").agg(last).select("row.*")


main()
