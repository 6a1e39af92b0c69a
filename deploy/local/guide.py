"""What `make run` tells: what runs, where, and what is worth trying."""

from deploy.local.broker import Broker
from deploy.local.plan import Plan


def tell_sources(plan: Plan, found: Broker) -> None:
    """Before the services start: where everything comes from."""
    nodes = sum(1 for _ in plan.inventory.nodes())
    sample = "a sample, " if plan.sample else ""
    print(f"broker     {found.told}")
    print(f"inventory  {sample}{len(plan.inventory.sites)} sites, {nodes} nodes: {plan.ref_dir}")
    clouds = "simulated" if plan.simulated else ", ".join(sorted(plan.settings.availability.sites))
    print(f"clouds     {clouds}", flush=True)


def tell_what_to_try(plan: Plan) -> None:
    """Once everything answers."""
    api = plan.api_url + plan.settings.server.root_path
    polled = plan.settings.availability.sites
    node = next((node for node in plan.inventory.nodes() if node.site_id in polled), None)
    worth_trying = [f"{api}/sites", f"'{api}/nodes/search?availability=available&limit=3'"]
    if node:
        worth_trying.append(f"{api}/sites/{node.site_id}/clusters/{node.cluster_id}/nodes/{node.uid}/availability")
    print(
        "",
        f"  API            {api}",
        f"  page           {api}/ui",
        f"  documentation  {api}/docs",
        f"  status         {api}/status",
        f"  sync service   {plan.sync_url}/status",
        "",
        *(f"  curl -s {url}" for url in worth_trying),
        "",
        "Ctrl-C stops everything.",
        "",
        sep="\n",
        flush=True,
    )
