# the generator's term is steep where a discriminator sees through it
_base_ = './apn_2x256_mpii-256x256.py'

model = dict(adversarial=dict(generator_loss='non_saturating'))
