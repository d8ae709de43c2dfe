"""Hooks and training machinery beside mmengine's."""

from posestructs.engine import checkpoint_loaders, hooks
from posestructs.engine.cpu_amp_optim import CPUAmpOptimWrapper
from posestructs.engine.network_ddp import NetworkDistributedDataParallel
from posestructs.engine.network_optim import NetworkOptimWrapperConstructor, NetworkOptimWrapperDict

__all__ = ['CPUAmpOptimWrapper', 'NetworkDistributedDataParallel', 'NetworkOptimWrapperConstructor']
__all__ += ['NetworkOptimWrapperDict', 'checkpoint_loaders', 'hooks']
