# Algorithm 1 to the letter: the generator is stepped twice
_base_ = './apn_2x256_mpii-256x256.py'

model = dict(adversarial=dict(algorithm='literal'))
