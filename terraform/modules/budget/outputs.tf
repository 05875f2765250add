output "budgets" {
  description = "Display names of the budgets by what they watch: project, workers; empty without a billing account."
  value       = { for key, budget in google_billing_budget.this : key => budget.display_name }
}
