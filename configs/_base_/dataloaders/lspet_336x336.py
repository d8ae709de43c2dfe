# lsp_336x336.py with the 10,000 persons of LSP-extended added to the training data
_base_ = './lsp_336x336.py'

lspet_root = 'data/lspet/'

lsp_train = _base_.lsp_train
lspet_train = dict(
    type='LSPDataset',
    data_root=lspet_root,
    ann_file='joints.mat',
    centric='observer',
    data_prefix=dict(img='images/'),
    pipeline=_base_.train_pipeline,
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        # 9 times 1,218 images without persons beside 11,000 persons
        datasets=[lspet_train, lsp_train, *[_base_.background_train] * 9],
        ignore_keys=['dataset_name'],
    )
)
