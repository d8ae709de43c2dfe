# Adversarial gradients on joints that are right already as well
_base_ = './apn_2x256_mpii-256x256.py'

model = dict(adversarial=dict(gate=False))
