DROP TABLE lease, attempt, operation, account_member, account, app, walk, resource_total, change_chain, change,
    org_group, membership, external_id, resource_key, resource, frozen, cap_use, hold, plan_item, plan, review,
    staging_record, staging_page, run_outcome, run, source_record, upload, vendor_token, setting_revision, connection,
    person, audit_entry, token, client, tenant;
DROP FUNCTION scim_fold, scim_instant;
