# discriminators of 512 maps, as all residuals have in the paper
_base_ = './apn_4x512_mpii-256x256.py'

model = dict(discriminators=dict(pose=dict(preset='paper'), confidence=dict(preset='paper')))
