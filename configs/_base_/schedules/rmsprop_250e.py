# The schedule of Adversarial PoseNet on LSP, LSP-extended and MPII together
_base_ = './rmsprop_230e.py'

train_cfg = dict(max_epochs=250)
