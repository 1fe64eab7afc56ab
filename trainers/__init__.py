"""How each method is trained, evaluated and reported. Imports engine, never app."""
