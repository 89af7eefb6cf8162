# PUT /api/output: an output by hand for a while, then back to the rule.
import json

from ..core import switch


def answer(board, client):
    app = board.app
    try:
        wanted = json.loads(client.buffer[: client.length])
        level = wanted["level"]
        minutes = wanted.get("minutes", 60)
    except (ValueError, KeyError, TypeError, AttributeError):
        return client.error(400, 'the body is {"level": 0 to 100 or null, "minutes": 1 to 240}')
    if level is not None:
        if not whole(level, 0, 100):
            return refuse(client, "level", "is between 0 and 100 %, or null")
        if level not in (0, 100) and not hasattr(app, "regulator"):
            return refuse(client, "level", "of a relay is 0 or 100")
    if not whole(minutes, 1, 240):
        return refuse(client, "minutes", "is between 1 and 240 min")
    app.left = minutes * 240  # pulses
    app.hand = None if level is None else level * switch.STEPS // 100
    app.show()
    client.reply(200, {})


def whole(value, least, most):
    return (
        isinstance(value, int) and value is not True and value is not False
        and least <= value <= most
    )  # fmt: skip


def refuse(client, field, wrong):
    client.reply(422, {"error": field + " " + wrong, "field": field})
