"""Hooks and training machinery beside mmengine's."""

from posestructs.engine import checkpoint_loaders, hooks, package_checkpoints
from posestructs.engine.network_ddp import NetworkDistributedDataParallel
from posestructs.engine.network_optim import NetworkOptimWrapperConstructor, NetworkOptimWrapperDict

__all__ = ['NetworkDistributedDataParallel', 'NetworkOptimWrapperConstructor', 'NetworkOptimWrapperDict', 'hooks']
__all__ += ['checkpoint_loaders', 'package_checkpoints']
