"""Files to studies to pixels in physical units: DICOM, PNG/JPEG and NIfTI; windowing; volume geometry."""
