import logging


def handler(event, context):
    logging.getLogger().warning("called")
    return context.tenant_id
