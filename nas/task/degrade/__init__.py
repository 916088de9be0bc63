"""Degrade: what clean photographs are degraded with: noise, blur, a display's diffraction, overexposure."""

from nas.task.degrade.camera import CameraNoise
from nas.task.degrade.capture import Capture
from nas.task.degrade.kernels import KernelFile
from nas.task.degrade.noise import BlendedNoise, Noise, make_noise
from nas.task.degrade.profile import PROFILES, NoiseProfile
from nas.task.degrade.tasks import TASKS, Degradation, degradation_of
from nas.task.degrade.white import SensorNoise, add_sensor_noise

__all__ = [
    "PROFILES",
    "TASKS",
    "BlendedNoise",
    "CameraNoise",
    "Capture",
    "Degradation",
    "KernelFile",
    "Noise",
    "NoiseProfile",
    "SensorNoise",
    "add_sensor_noise",
    "degradation_of",
    "make_noise",
]
