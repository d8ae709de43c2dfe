#!/usr/bin/env bash
# The shipped model at the size of a GPU, in about nine minutes: the tests that need one; the model and its twin without
# messages at 256x256 in bfloat16, images kept in memory, for as many epochs as four minutes allow; the main rows of the
# structure grid; and the speed of neck, max-sum and adversarial step. Each part has a time limit, and one that fails
# does not stop the others. OUT then holds log.txt, results.tar.gz and the weights true.pth and none.pth.
#   usage, from the project's root: benchmarks/gpu/shipped_model.sh OUT [PART ...]
# The parts are tests, model, grid and speed, by default all. It needs data/movenet/movenet-lightning.pth and the data
# (POSESTRUCTS_DATA). REHEARSE=20 rehearses it on a CPU, with so many iterations in each training.
set -uo pipefail
out=$1; shift
n=${REHEARSE:-0}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=${WORK:-$out.work}
device=cuda flags=(--bf16 --channels-last --workers "${WORKERS:-12}")
[ "$n" = 0 ] || { device=cpu; flags=(--test-images 16); }

accuracy() {  # folder of the results, rows, further flags
    local name=$1 rows=$2; shift 2
    # shellcheck disable=SC2086  # several rows
    python3 benchmarks/accuracy.py --budget structure --data movenet --seeds 0 --rows $rows "${flags[@]}" \
        --out "$work/results/$name" --work-dir "$work/runs/$name" "$@"
}

run_tests() {
    # shellcheck disable=SC2046  # several files
    python3 -m pytest -q -m gpu -p no:cacheprovider $(grep -rlF mark.gpu tests)
}

run_model() {  # a trial of two epochs tells how many the two trainings can have
    local key sizes=() images=$((n ? 16 * n : 5000)) epochs=1
    for key in train_dataloader.dataset.pipeline.{4,6.encoder} test_dataloader.dataset.pipeline.2 model.head.decoder; do
        sizes+=("$key.input_size=(256,256)")
    done
    for key in train_dataloader.dataset.pipeline.6.encoder model.head.decoder; do
        sizes+=("$key.heatmap_size=(64,64)")
    done
    if [ "$n" = 0 ]; then
        accuracy trial strong-true --epoch-images $images --epochs 2 --test-images 16 --cfg-options "${sizes[@]}" ||
            return
        epochs=$(python3 -c "import json, pathlib, sys
trial = json.loads(next(pathlib.Path(sys.argv[1]).rglob('*_seed0.json')).read_text())
print(max(1, int(${SECONDS_TO_TRAIN:-170} / 2 * trial['epochs'] / trial['seconds']['train'])))" "$work/results/trial") ||
            return
    fi
    echo "epochs of each training: $epochs"
    accuracy model-256 'strong-true strong-none' --epoch-images $images --epochs "$epochs" --cfg-options "${sizes[@]}"
}

run_grid() {
    local sizes=(--jobs 3)
    [ "$n" = 0 ] || sizes=(--epochs 1 --epoch-images $((16 * n)))
    accuracy structure 'strong-true strong-shuffled strong-none' "${sizes[@]}"
}

run_speed() {
    local neck=() sums=() step=(--batch-size 16 --rounds 10) status=0
    if [ "$n" != 0 ]; then
        neck=(--cells 13 --in-channels 16 --part-channels 4 --repeats 1)
        sums=(--types 2 --size 12 12 --rounds 1)
        step=(--rounds 1 --config configs/adversarial_posenet/apn_2x56_lspet-mini-128x128.py)
    fi
    mkdir -p "$work/results"
    python3 benchmarks/message_passing.py --devices $device "${neck[@]}" --out "$work/results/message_passing.json" ||
        status=1
    python3 benchmarks/max_sum.py "${sums[@]}" --out "$work/results/max_sum.json" || status=1
    python3 benchmarks/adversarial_step.py --device $device "${step[@]}" --out "$work/results/adversarial_step.json" ||
        status=1
    return $status
}

collect() {  # the newest weights of the two models, without the optimizer's state, which would not fit
    [ -d "$work/results" ] && tar -czf "$out/results.tar.gz" -C "$work" results
    for row in true none; do
        last=$(ls -t "$work/runs/model-256"/*/strong-${row}_*/epoch_*.pth 2> /dev/null | head -1)
        [ -z "$last" ] || python3 -c "import sys, torch
found = torch.load(sys.argv[1], map_location='cpu', weights_only=False)
torch.save(dict(state_dict=found['state_dict']), sys.argv[2])" "$last" "$out/$row.pth"
    done
}

if [ "${1:-}" = --one ]; then  # a part in a process of its own, which a time limit can end
    "$2"
    exit
fi
[ $# -gt 0 ] || set -- tests model grid speed
declare -A limits=([tests]=75 [model]=260 [grid]=130 [speed]=100)
for part in "$@"; do
    [ -n "${limits[$part]:-}" ] || { echo "part $part, allowed: tests model grid speed" >&2; exit 2; }
done
failed=0
for part in "$@"; do
    limit=${LIMIT:-${limits[$part]}}
    echo "== $part, at most $limit s" | tee -a "$out/log.txt"
    # an interrupt, which background processes ignore by default, so that programs end the processes they have started
    timeout --signal=INT --kill-after=10 "$limit" env --default-signal=INT bash "$0" "$out" --one "run_$part" \
        >> "$out/log.txt" 2>&1
    status=$?
    echo "== $part: status $status" | tee -a "$out/log.txt"
    [ $status = 0 ] || failed=1
    collect >> "$out/log.txt" 2>&1
done
exit $failed
