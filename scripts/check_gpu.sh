#!/usr/bin/env bash
# What a machine with a GPU has to show, in at most eight minutes on sixteen cores, without a registry: the tests, a slice
# of the fuzz, the benchmarks and the default training run. Each leaves a file in $OUT (gpu_results by default), the last
# lines are printed, and the exit code counts what failed.
#
#     PYTHON=.venv/bin/python OUT=results scripts/check_gpu.sh
set -u
cd "$(dirname "$0")/.."
out=$(realpath -m "${OUT:-gpu_results}")
python=${PYTHON:-python3}
mkdir -p "$out"
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
export XLA_PYTHON_CLIENT_PREALLOCATE=false # several processes share the GPU's memory
failed=0

check() { # name, seconds that it may take, command
  local name=$1 limit=$2 since=$SECONDS code=0
  shift 2
  timeout "$limit" "$@" > "$out/$name.txt" 2>&1 || code=$?
  echo "$name: exit $code after $((SECONDS - since)) s: $(tail -n 1 "$out/$name.txt")"
  [ $code = 0 ] || failed=$((failed + 1))
}

check machine 60 "$python" -c "import jax; print(jax.__version__, jax.devices())"
check training 60 "$python" scripts/train_lenet.py --run-dir "$out/run"
check bench_lenet 60 "$python" scripts/bench_lenet.py --seconds 1 --json "$out/bench_lenet.json"
check bench_ops 120 "$python" scripts/bench_ops.py --platform gpu --large --json "$out/bench_ops.json"
check tests 180 "$python" -m pytest -p no:benchmark -n 8 tests/core
check fuzz 60 "$python" scripts/fuzz_ops.py --trials 200 --processes 4
exit $failed
