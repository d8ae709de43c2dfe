# FLIC's 10 joints with the midpoint of every limb and the points at 1/3 and 2/3 between shoulder and hip: 18 parts by
# the rule of lsp-26.py, the image's left side first (Chu et al. have 18 + 1 maps on FLIC; their release has no FLIC).
#
# Names are those of FLIC's files: "right" is on the left of the image for an upright person.
tree = dict(
    joints=[
        'nose',
        'neck',
        'left_shoulder',
        'left_elbow',
        'left_wrist',
        'left_hip',
        'right_shoulder',
        'right_elbow',
        'right_wrist',
        'right_hip',
    ],
    parts=[
        dict(name='nose', parent=None),
        dict(name='neck', parent='nose'),
        dict(name='right_shoulder', parent='neck'),
        dict(name='right_upper_arm', parent='right_shoulder', of=dict(right_shoulder=1 / 2, right_elbow=1 / 2)),
        dict(name='right_elbow', parent='right_upper_arm'),
        dict(name='right_forearm', parent='right_elbow', of=dict(right_elbow=1 / 2, right_wrist=1 / 2)),
        dict(name='right_wrist', parent='right_forearm'),
        dict(name='right_chest', parent='right_shoulder', of=dict(right_shoulder=2 / 3, right_hip=1 / 3)),
        dict(name='right_waist', parent='right_chest', of=dict(right_shoulder=1 / 3, right_hip=2 / 3)),
        dict(name='right_hip', parent='right_waist'),
        dict(name='left_shoulder', parent='neck'),
        dict(name='left_upper_arm', parent='left_shoulder', of=dict(left_shoulder=1 / 2, left_elbow=1 / 2)),
        dict(name='left_elbow', parent='left_upper_arm'),
        dict(name='left_forearm', parent='left_elbow', of=dict(left_elbow=1 / 2, left_wrist=1 / 2)),
        dict(name='left_wrist', parent='left_forearm'),
        dict(name='left_chest', parent='left_shoulder', of=dict(left_shoulder=2 / 3, left_hip=1 / 3)),
        dict(name='left_waist', parent='left_chest', of=dict(left_shoulder=1 / 3, left_hip=2 / 3)),
        dict(name='left_hip', parent='left_waist'),
    ],
    mirror=[
        ('right_shoulder', 'left_shoulder'),
        ('right_upper_arm', 'left_upper_arm'),
        ('right_elbow', 'left_elbow'),
        ('right_forearm', 'left_forearm'),
        ('right_wrist', 'left_wrist'),
        ('right_chest', 'left_chest'),
        ('right_waist', 'left_waist'),
        ('right_hip', 'left_hip'),
    ],
)
