def handler(event, context):
    kept = []
    while True:
        kept.append(bytearray(4_000_000))
        kept[-1][::4096] = b"x" * len(kept[-1][::4096])
