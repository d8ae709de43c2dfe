# lsp_336x336.py with LSP-extended (10,000 people) added to the training people
_base_ = './lsp_336x336.py'

lspet_root = 'data/lspet/'

lsp_train = dict(
    type='LSPDataset',
    data_root=_base_.lsp_root,
    ann_file='joints.mat',
    split='train',
    centric='observer',
    data_prefix=dict(img='images/'),
    pipeline=_base_.train_pipeline,
)
lspet_train = dict(
    type='LSPDataset',
    data_root=lspet_root,
    ann_file='joints.mat',
    centric='observer',
    data_prefix=dict(img='images/'),
    pipeline=_base_.train_pipeline,
)
train_dataloader = dict(
    dataset=dict(_delete_=True, type='ConcatDataset', datasets=[lspet_train, lsp_train], ignore_keys=['dataset_name'])
)
