"""The workstation: screens, tools and keys. No imaging maths, no SQL, no tensors: those are the engine's."""
