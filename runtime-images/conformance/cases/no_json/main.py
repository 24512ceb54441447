def handler(event, context):
    answer = {}
    answer["self"] = answer
    return answer
