"""Which of the API's operations there are; every other one is answered as not supported yet.

docs/unsupported.md is generated from this table and the API's model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    account,
    aliases,
    code_signing,
    concurrency,
    event_invoke_config,
    event_source_mappings,
    function_management,
    function_updates,
    function_urls,
    functions,
    invoke,
    permissions,
    provisioned,
    tags,
    versions,
)

if TYPE_CHECKING:
    from pilotlight_gateway.apis.service import Handler

__all__ = ["LAMBDA"]

LAMBDA: dict[str, Handler] = {
    "AddPermission": permissions.add_permission,
    "CreateAlias": aliases.create_alias,
    "CreateCodeSigningConfig": code_signing.create_code_signing_config,
    "CreateEventSourceMapping": event_source_mappings.create_event_source_mapping,
    "CreateFunction": functions.create_function,
    "CreateFunctionUrlConfig": function_urls.create_function_url_config,
    "DeleteAlias": aliases.delete_alias,
    "DeleteCodeSigningConfig": code_signing.delete_code_signing_config,
    "DeleteEventSourceMapping": event_source_mappings.delete_event_source_mapping,
    "DeleteFunction": functions.delete_function,
    "DeleteFunctionCodeSigningConfig": code_signing.delete_function_code_signing_config,
    "DeleteFunctionConcurrency": concurrency.delete_function_concurrency,
    "DeleteFunctionEventInvokeConfig": event_invoke_config.delete_event_invoke_config,
    "DeleteFunctionUrlConfig": function_urls.delete_function_url_config,
    "DeleteProvisionedConcurrencyConfig": provisioned.delete_provisioned_concurrency,
    "DeleteResourcePolicy": permissions.delete_resource_policy,
    "GetAccountSettings": account.get_account_settings,
    "GetAlias": aliases.get_alias,
    "GetCodeSigningConfig": code_signing.get_code_signing_config,
    "GetEventSourceMapping": event_source_mappings.get_event_source_mapping,
    "GetFunction": functions.get_function,
    "GetFunctionCodeSigningConfig": code_signing.get_function_code_signing_config,
    "GetFunctionConcurrency": concurrency.get_function_concurrency,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "GetFunctionEventInvokeConfig": event_invoke_config.get_event_invoke_config,
    "GetFunctionRecursionConfig": function_management.get_function_recursion_config,
    "GetFunctionUrlConfig": function_urls.get_function_url_config,
    "GetPolicy": permissions.get_policy,
    "GetProvisionedConcurrencyConfig": provisioned.get_provisioned_concurrency,
    "GetResourcePolicy": permissions.get_resource_policy,
    "GetRuntimeManagementConfig": function_management.get_runtime_management_config,
    "Invoke": invoke.invoke,
    "InvokeAsync": invoke.invoke_async,
    "ListAliases": aliases.list_aliases,
    "ListCodeSigningConfigs": code_signing.list_code_signing_configs,
    "ListEventSourceMappings": event_source_mappings.list_event_source_mappings,
    "ListFunctionEventInvokeConfigs": event_invoke_config.list_event_invoke_configs,
    "ListFunctionUrlConfigs": function_urls.list_function_url_configs,
    "ListFunctions": functions.list_functions,
    "ListFunctionsByCodeSigningConfig": code_signing.list_functions_by_code_signing_config,
    "ListProvisionedConcurrencyConfigs": provisioned.list_provisioned_concurrency,
    "ListTags": tags.list_tags,
    "ListVersionsByFunction": versions.list_versions_by_function,
    "PublishVersion": versions.publish_version,
    "PutFunctionCodeSigningConfig": code_signing.put_function_code_signing_config,
    "PutFunctionConcurrency": concurrency.put_function_concurrency,
    "PutFunctionEventInvokeConfig": event_invoke_config.put_event_invoke_config,
    "PutFunctionRecursionConfig": function_management.put_function_recursion_config,
    "PutProvisionedConcurrencyConfig": provisioned.put_provisioned_concurrency,
    "PutResourcePolicy": permissions.put_resource_policy,
    "PutRuntimeManagementConfig": function_management.put_runtime_management_config,
    "RemovePermission": permissions.remove_permission,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateAlias": aliases.update_alias,
    "UpdateCodeSigningConfig": code_signing.update_code_signing_config,
    "UpdateEventSourceMapping": event_source_mappings.update_event_source_mapping,
    "UpdateFunctionCode": function_updates.update_function_code,
    "UpdateFunctionConfiguration": function_updates.update_function_configuration,
    "UpdateFunctionEventInvokeConfig": event_invoke_config.update_event_invoke_config,
    "UpdateFunctionUrlConfig": function_urls.update_function_url_config,
}
