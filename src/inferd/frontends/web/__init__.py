"""The page: what people see. Jinja2 draws each page so that it reads before scripts run."""
