"""A task of Apache Airflow 2 or 3: exit code 1 skips what comes after, 2 and 3 fail the task and are tried again."""

import pendulum

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG("staypower", schedule="30 4 * * *", start_date=pendulum.datetime(2026, 1, 1), catchup=False, max_active_runs=1):
    BashOperator(
        task_id="nightly",
        bash_command="/srv/churn/nightly.sh /srv/churn/acme.yaml",
        skip_on_exit_code=1,
        retries=1,
    )
