# Algorithm 1 as written: the generator is stepped twice per iteration
_base_ = './apn_2x256_mpii-256x256.py'

model = dict(adversarial=dict(algorithm='literal'))
