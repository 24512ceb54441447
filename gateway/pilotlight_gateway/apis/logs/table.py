"""Which of CloudWatch Logs' operations there are; every other one is not supported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import events, groups, live_tail, subscription_filters, tags

if TYPE_CHECKING:
    from pilotlight_gateway.apis.service import Handler

__all__ = ["LOGS"]

LOGS: dict[str, Handler] = {
    "CreateLogGroup": groups.create_log_group,
    "DeleteLogGroup": groups.delete_log_group,
    "DeleteLogStream": groups.delete_log_stream,
    "DeleteRetentionPolicy": groups.delete_retention_policy,
    "DeleteSubscriptionFilter": subscription_filters.delete_subscription_filter,
    "DescribeLogGroups": groups.describe_log_groups,
    "DescribeLogStreams": groups.describe_log_streams,
    "DescribeSubscriptionFilters": subscription_filters.describe_subscription_filters,
    "FilterLogEvents": events.filter_log_events,
    "GetLogEvents": events.get_log_events,
    "ListTagsForResource": tags.list_tags_for_resource,
    "ListTagsLogGroup": tags.list_tags_log_group,
    "PutRetentionPolicy": groups.put_retention_policy,
    "PutSubscriptionFilter": subscription_filters.put_subscription_filter,
    "StartLiveTail": live_tail.start_live_tail,
    "TagLogGroup": tags.tag_log_group,
    "TagResource": tags.tag_resource,
    "UntagLogGroup": tags.untag_log_group,
    "UntagResource": tags.untag_resource,
}
