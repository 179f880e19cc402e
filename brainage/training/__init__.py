"""The LightningModule and the fit itself."""
