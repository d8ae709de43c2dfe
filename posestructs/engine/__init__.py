"""Hooks and training machinery beside mmengine's."""

from posestructs.engine import hooks, package_checkpoints
from posestructs.engine.network_ddp import NetworkDistributedDataParallel
from posestructs.engine.network_optim import NetworkOptimWrapperConstructor, NetworkOptimWrapperDict

__all__ = ['NetworkDistributedDataParallel', 'NetworkOptimWrapperConstructor', 'NetworkOptimWrapperDict', 'hooks']
__all__ += ['package_checkpoints']
