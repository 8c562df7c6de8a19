"""The audit: evidence that no feature saw the future, and a list of what no audit can prove."""
