#!/bin/bash
# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
#
# Enlarges the pictures of a folder on a Slurm cluster, as an array of jobs with a share of the pictures each:
#
#     sbatch --array=1-64 srdiff/cluster/slurm.sh 64 PICTURES RESULTS [flags of srdiff upscale]
#
# The first argument is the number of shares, so that some of them can be submitted again, as in --array=3,17.
# A share that is stopped and requeued keeps the results that it has, and makes the rest.
#SBATCH --job-name=srdiff
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:INT@60
set -eu
shares=$1 pictures=$2 results=$3
shift 3

# Where Slurm does not bind a task to its cores, Go, XLA and oneDNN would each use all cores of the machine.
export GOMAXPROCS=${SLURM_CPUS_PER_TASK:-1}
export NPROC=$GOMAXPROCS PJRT_NPROC=$GOMAXPROCS OMP_NUM_THREADS=$GOMAXPROCS

# srdiff takes the place of the script, so that it gets Slurm's signals: it stops between two pictures.
exec srdiff upscale "$pictures" -o "$results" --shard "$SLURM_ARRAY_TASK_ID/$shares" "$@"
