#!/usr/bin/env bash
# Recipes of adversarial fine-tuning at the size of a GPU, for about seven minutes: a generator of 2 stacks of 256 at
# 256x256 is trained on lspet-mini, then control, A, C and E are fine-tuned from it with one seed each. The last
# checkpoints are scored on val.txt, and the discriminators are diagnosed.
#   usage, from the project's root: benchmarks/gpu/adversarial_recipes.sh OUT [EPOCHS]
# RECIPES="..." chooses others. For a rehearsal on a CPU, FEW="..." adds --cfg-options to each training, and
# FEW_TEST="..." to each test.
set -euo pipefail
out=$1 epochs=${2:-30}
config=configs/adversarial_posenet/gpu_recipe.py
trap 'rm -f "$config"' EXIT
loader=(train_dataloader.num_workers="${WORKERS:-12}" train_dataloader.batch_size=32)
read -r -a few <<< "${FEW:-}"
mkdir -p "$out"

run() {  # name, config, further options
    local name=$1 file=$2; shift 2
    python3 tools/train.py "$file" --work-dir "$out/$name" --seed 0 --no-validate --amp \
        --cfg-options "${loader[@]}" "$@" "${few[@]}" > "$out/$name.log" 2>&1
}

recipe() {  # name of the recipe: the same losses and hooks around the large generator
    cat > "$config" <<PYTHON
_base_ = './recipes/$1.py'

codec = dict(type='OcclusionHeatmap', input_size=(256, 256), heatmap_size=(64, 64), sigma=2, normalize='torso',
             metainfo=dict(from_file='lsp.py'))
model = dict(
    data_preprocessor=dict(_delete_=True, type='PoseDataPreprocessor', mean=[123.675, 116.28, 103.53],
                           std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
    backbone=dict(_delete_=True, type='StackedPoseGenerator', num_stacks=2, channels=256),
    neck=None,
    head=dict(in_channels=256, num_stacks=2, hidden_channels=None, decoder=codec),
)


def resized(pipeline):
    steps = []
    for step in pipeline:
        step = dict(step)
        if step['type'] == 'TopdownAffine':
            step['input_size'] = codec['input_size']
        if step['type'] == 'GenerateTarget':
            step['encoder'] = codec
        steps.append(step)
    return steps


train_dataloader = dict(dataset=dict(pipeline=resized(_base_.train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=resized(_base_.val_pipeline)))
test_dataloader = dict(dataset=dict(pipeline=resized(_base_.test_pipeline)))
PYTHON
}

recipe control
run generator "$config" load_from=None train_cfg.max_epochs="$epochs" optim_wrapper.generator.optimizer.lr=1e-3 \
    optim_wrapper.generator.paramwise_cfg=None \
    "param_scheduler=[dict(type='CosineAnnealingLR',begin=0,end=$epochs,T_max=$epochs,eta_min=1e-6,by_epoch=True,convert_to_iter_based=True)]"
start=$(ls "$out"/generator/epoch_*.pth | tail -1)
for name in ${RECIPES:-control a_scaled-input c_relativistic e_poses-alone}; do
    recipe "$name"
    run "$name" "$config" load_from="$start"
    last=$(ls "$out/$name"/epoch_*.pth | tail -1)
    python3 tools/test.py "$config" "$last" --work-dir "$out/test" --out "$out/$name.json" \
        --cfg-options "test_dataloader.num_workers=${WORKERS:-12}" ${FEW_TEST:-} > "$out/$name.test.log" 2>&1
    if [ "$name" != control ]; then
        python3 tools/analysis/diagnose_discriminators.py "$config" "$last" --out "$out/$name.discriminators.json" \
            --max-item-num "${DIAGNOSED:-400}" --cfg-options test_dataloader.num_workers=0 ${FEW_TEST:-} \
            > "$out/$name.discriminators.log" 2>&1
    fi
done
