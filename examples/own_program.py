"""Run a node inside a program of your own: add backends, see how they fare, ask them.

    python examples/own_program.py

Nothing listens, and the node's state is gone with its folder at the end.
"""

import asyncio
import tempfile

import inferd


async def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        config = {"server.home": home, "local.enabled": False, "hub.enabled": False}
        config |= {"discovery.auto": False}
        async with inferd.open_node(config) as node:
            # Any kind of [[backends]] will do: `openai` with a base_url, `remote_node`, …
            await node.backends.register("parrot", "echo", models=["polly"])
            await node.backends.register("magpie", "echo", tasks=["chat"], priority=1)

            for backend in node.backends.list(status="healthy", task="chat"):
                print(f"{backend.id}: {backend.type}, {backend.status}, {backend.models} models")
            chosen = node.backends.select("chat", preferred_types=["gpu", "hybrid"])
            print("chat goes to", chosen.id if chosen else "nobody")

            reply = await node.infer("text-generation", "Hello, world!", model="polly")
            print(f"{reply.text!r} from {reply.backend}, {reply.output_tokens} tokens")
            async with node.stream("chat", "One word at a time.", backend="magpie") as words:
                print([word async for word in words])

            report = node.backends.report()
            print(report.total_requests, "requests,", report.total_failed, "failed")
            await node.backends.unregister("magpie")
            print("left:", ", ".join(backend.id for backend in node.backends.list()))


if __name__ == "__main__":
    asyncio.run(main())
