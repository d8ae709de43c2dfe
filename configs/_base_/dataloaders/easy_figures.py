# Options of StickFigureDataset for figures that a small model learns in minutes: large, upright, seen from the front,
# with nothing behind or in front of them that looks like a limb
figures = dict(
    activities=(
        'stand', 'lean_on_leg', 'hands_on_hips', 'walk', 'run', 'raise_arms', 'wave', 'point', 'star_jump', 'kick',
        'lunge', 'throw',
    ),
    max_yaw=60,
    occluder_prob=0.0,
    lookalike_prob=0.0,
    crop_prob=0.0,
    scale=(0.85, 0.96),
)  # fmt: skip
