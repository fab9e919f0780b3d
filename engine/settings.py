"""Settings of an installation: the environment and `.env`, read once at process start.

They travel to actors and replicas as this frozen value; nothing else reads the
environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every `AIQLEADS_*` setting. Raises pydantic.ValidationError naming a bad one."""

    model_config = SettingsConfigDict(
        env_prefix="AIQLEADS_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    # Where things are. An empty URL means: `up` starts a private local service.
    database_url: str = ""
    redis_url: str = ""
    ray_address: str = ""
    replay_url: str = ""
    data_dir: Path = Path("var")
    captures: Path | None = None
    markets_file: Path | None = None
    plans_file: Path | None = None
    sources_file: Path | None = None
    mappings_dir: Path | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(8000, ge=1, le=65535)
    api_replicas: int = Field(1, ge=1, le=64)

    # The private Ray of one machine. No number of CPUs: all of them.
    ray_cpus: int | None = Field(None, ge=1)
    ray_object_store_mb: int = Field(200, ge=100)

    # Who may do what, and how often. 0 = no limit.
    admin_email: str = ""
    admin_password: SecretStr = SecretStr("")
    jwt_secret: SecretStr = SecretStr("")
    access_token_seconds: int = Field(900, ge=1)
    refresh_token_days: int = Field(30, ge=1)
    rate_limit_basic: int = Field(100, ge=0)
    rate_limit_pro: int = Field(500, ge=0)
    rate_limit_enterprise: int = Field(5000, ge=0)
    rate_limit_anonymous: int = Field(300, ge=0)
    feed_origins: str = ""
    feed_buffer_bytes: int = Field(1024 * 1024, ge=128 * 1024)
    feed_sockets_max: int = Field(10_000, ge=1)
    feed_sockets_per_user_max: int = Field(50, ge=1)
    welcome_credits: int | None = Field(None, ge=0)

    # How claims on new leads are collected (0 = as they come), and how long a seat is kept
    # for the first in line.
    claim_window_ms: int = Field(250, ge=0, le=500)
    offer_seconds: int = Field(300, ge=1, le=86_400)

    # Prices: whether agents work them out, by which policy (empty: the default one), compared
    # with which other on a share of the leads, and how often a whole market is repriced.
    pricing: Literal["on", "off"] = "on"
    pricing_policy: str = ""
    pricing_experiment: str = ""
    pricing_interval_ms: int = Field(60_000, ge=100, le=3_600_000)

    # Carts: shards of timers, and when buyers are reminded, minutes before a hold ends.
    cart_shards: int = Field(1, ge=1, le=64)
    reminder_minutes: list[Annotated[int, Field(ge=1, le=7 * 24 * 60)]] = Field(
        [10, 1], max_length=8
    )

    # E-mail, like smtp://user:password@mail.internal:587 (smtps:// for TLS from the start).
    # Without it nothing is sent.
    smtp_url: SecretStr = SecretStr("")
    mail_from: str = "AIQLeads <noreply@localhost>"
    public_url: str = ""

    # Different filters that the feed's subscriptions may have at once, per replica.
    feed_filters_max: int = Field(256, ge=0, le=1_024)
    # Price ticks of a market within this time travel together, the latest of each lead.
    feed_prices_interval_ms: int = Field(100, ge=0, le=5_000)

    # Whether sources are run when they are due; asked for, they are run either way.
    ingest_schedule: Literal["on", "off"] = "on"

    # Sources that ask for permission: name to licence note, and name to what they ask for.
    source_licences: dict[str, str] = {}
    source_credentials: dict[str, dict[str, SecretStr]] = {}
    # Where a site's operator can reach us: a web address or e-mail, told with every request.
    crawler_contact: str = ""

    # The model that is asked for what rules can't repair; without a key it is never asked.
    openai_api_key: SecretStr = SecretStr("")
    openai_url: str = ""
    openai_model: str = "gpt-5-mini"
    repair_tokens_per_run: int = Field(50_000, ge=0)
    repair_sends_contact: bool = False

    # Leads that may be scams: probabilities at and above which one is flagged, and quarantined
    # (empty: the model's own), and how long a desk waits for the model.
    fraud_flag_at: float | None = Field(None, ge=0, le=1)
    fraud_quarantine_at: float | None = Field(None, ge=0, le=1)
    fraud_timeout_ms: int = Field(2_000, ge=10, le=30_000)

    # Served models: whether they run, where trained ones are kept (any fsspec URL; empty: in the
    # data directory), how many replicas each application may have, and the share of a
    # processor that each replica reserves, 0 on a small machine.
    models: Literal["on", "off"] = "on"
    models_url: str = ""
    models_replicas_min: int = Field(1, ge=1, le=64)
    models_replicas_max: int = Field(1, ge=1, le=64)
    models_replica_cpus: float = Field(0.0, ge=0, le=16)
    # Texts that a replica of the embedder works on at once.
    models_embedder_threads: int = Field(1, ge=1, le=64)
    # A newly promoted version and a canary are watched against the other version: for how long
    # after a promotion, and what is still well (engine/rollout/judge.py).
    models_probation_minutes: int = Field(15, ge=0, le=1_440)
    models_error_rate_max: float = Field(0.01, gt=0, le=1)
    models_latency_ratio_max: float = Field(2.0, ge=1)
    models_drift_max: float = Field(0.25, gt=0)
    models_shadow_days: int = Field(14, ge=1, le=365)
    models_shadow_rows: int = Field(200_000, ge=1_000, le=10_000_000)

    # The sample world that is traded on when no captures are given.
    sample_size: int = Field(4000, ge=1)
    sample_seed: int = 20260501
    log_level: str = "INFO"
