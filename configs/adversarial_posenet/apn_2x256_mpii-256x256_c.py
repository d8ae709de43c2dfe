# Confidence discriminator only
_base_ = './apn_2x256_mpii-256x256.py'

model = dict(discriminators=dict(pose=None))
optim_wrapper = dict(pose=None)
