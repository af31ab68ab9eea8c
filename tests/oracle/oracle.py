"""What Slack's own library for Python says of saseo's Slack.

`sign` signs bodies as Slack does, `judge` says which requests Slack's library would let in,
`blocks` says what is wrong with blocks and views. All read JSON and write JSON.
"""

import json
import logging
import sys
import time

from slack_sdk.models.blocks import Block
from slack_sdk.models.messages.chunk import Chunk
from slack_sdk.models.views import View
from slack_sdk.signature import SignatureVerifier


def sign(request):
    """The time, `age` seconds ago, and the signature of a body made then."""
    at = str(int(time.time()) - request["age"])
    verifier = SignatureVerifier(request["secret"])
    return [at, verifier.generate_signature(timestamp=at, body=request["body"])]


def judge(request):
    verifier = SignatureVerifier(request["secret"])
    return verifier.is_valid_request(request["body"], request["headers"])


class Murmurs(logging.Handler):
    """The library only logs what it does not know, at the level of debugging."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def emit(self, record):
        self.heard.append(record.getMessage())


def blocks(posted):
    """What is wrong with the blocks, the chunks of a stream and the view of one request."""
    complaints = []
    for name, parse in (("blocks", Block.parse), ("chunks", Chunk.parse)):
        for given in posted.get(name) or []:
            complaints += complained(given, parse)
    if posted.get("view"):
        view = dict(posted["view"])
        complaints += complained(view, lambda view: View(**view))
        for given in view.get("blocks") or []:
            complaints += complained(given, Block.parse)
    return complaints


def complained(given, parse):
    murmurs = Murmurs()
    root = logging.getLogger("slack_sdk")
    root.setLevel(logging.DEBUG)
    root.addHandler(murmurs)
    complaints = []
    try:
        parsed = parse(json.loads(json.dumps(given)))
        if parsed is None:
            complaints.append("unknown: " + json.dumps(given))
        else:
            parsed.validate_json()
            understood = json.loads(json.dumps(parsed.to_dict()))
            if understood != given:
                complaints.append("not all was understood: %s of %s" % (understood, given))
    except Exception as error:
        complaints.append("%s: %s" % (type(error).__name__, error))
    finally:
        root.removeHandler(murmurs)
    return complaints + murmurs.heard


ASKED = {"sign": sign, "judge": judge, "blocks": blocks}

if __name__ == "__main__":
    json.dump([ASKED[sys.argv[1]](one) for one in json.load(sys.stdin)], sys.stdout)
