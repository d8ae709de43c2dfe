"""Export of trained models for use without mmpose: the network, and the description of its inputs and outputs."""

from posestructs.deployment.maps_network import MapsNetwork, build_generator, load_generator

__all__ = ['MapsNetwork', 'build_generator', 'load_generator']
