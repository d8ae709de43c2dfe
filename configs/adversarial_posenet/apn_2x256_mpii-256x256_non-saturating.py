# Non-saturating adversarial term: its gradient is large where a discriminator recognises a predicted map
_base_ = './apn_2x256_mpii-256x256.py'

model = dict(adversarial=dict(generator_loss='non_saturating'))
