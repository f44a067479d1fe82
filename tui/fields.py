"""What the API calls its fields and kinds, as far as Russian and Chinese have words for them.

English readers see the API's own names, which are what they would look up; `tui/texts.py` asks for the others.
"""

_FIELDS = """
accept account_id action_index actions added_wh address after_wh amendment amount answer answer_hash answer_until
approvals approve attestation auction authority azimuth_udeg basis before_wh beneficiary beneficiary_name bond boxes
bundle_quantity bundles buyer buyers bytes capacity_w carry_in_wh carry_out_wh carry_wh ceiling certificates chain
channels close_days closes_at code codes commissioned_day commitment consumption_from consumption_to content
coordinates_estimated corrected_wh count country created credential credits currency cursor date day days debt
debt_wh debtor delivery_from delivery_to device devices dimension dimensions due_at eecs_fuel eecs_technology
emissions enacted_id end ended_by ended_height energy_wh energytag envelope epoch escrow escrow_key event events
every_s evidence_hash expiry face_value facts fee fees filled first first_serial floor forfeited forfeited_wh former
free_at from from_name fuel gateway given_wh gsrn gsrn_check hash height history history_from hold_days holder
holder_name hours_wh how hub_height_cm id index inputs inputs_root insolation_source interval_s irec_fuel
irec_technology issuance issue_rule issue_txid issued issued_at joined jurisdiction key key_changes kind label
lapses_height late late_days latitude_udeg left limit listing location longitude_udeg lot_class margin max_transfers
maximum message meter month month_from month_to months moved_wh name neighbours netted_wh new next_at
next_recovery_key next_serial next_validators_hash node node_key nodes note number open_s opening_s opens_at
operator order orders outpoint owed owner page paid_wh params parent_hash participant participants pay_s payer
payment pending_recovery pieces pledges position_cap price prices production_from production_to profile_from
profile_hash profile_to proposal proposals proposed_at proposed_height proposer purpose purse quantity ranges
readings_root reason reasons recovery_key reference refusals registered_at registry release_shares release_wh
released_wh remarks repeat_s repeat_until result_root retire_months retire_until retired_at returned_wh review_until
review_wh revision role roles rotated said salt scheme scheme_name sealed second seller sellers sender serial_digits
sessions share shares side signature signatures signer signers stake standing start state_root statement
statement_hash statements status step strikes subject support tags technology terms thin tilt_udeg time time_ms
timestamp_ms title to to_name total_wh tradable trade_months trade_until transactions transfers tx_root txid unit
unmatched until upheld validator validators validators_hash verdict verifier_version version view vote_key wanted
what why window_from window_to withdrawn zone registry_code schema_version
"""

# Kinds of actions, of events and of what proposals are about; states, purposes, roles: values out of a closed list.
_KINDS = """
amend amended answer_appeal answer_handover appeal appeal_answered appealed auction_closed auction_opened bid
bid_placed bought buy cancel cancelled class_settled consumed correct day_corrected debt_incurred debt_paid default
defaulted delivered deposit deposited device enacted end_standing end_standing_bid epoch_began equivocated evidence
expired forfeited gateway hand_over handed_over handover_answered issuance issue issued key_changed list listed
meter name_recovery obligation_made obligation_met offer offered open_auction open_shares opening_began order_opened
order_sealed order_settled order_spoilt paid paid_in paid_out participant pay payout pledge pledged profile proposal
proposal_refused propose proposed recover recover_key recovery_named recovery_pending recovery_vetoed register
registered released remove_validator renew replace replaced report_consumption retire retired reveal role
rotate_credential rotate_escrow rotate_key rotate_vote_key scheme scheme_set sessions set_standing settle settled
shares_given standing_bid standing_bid_ended standing_bid_placed standing_ended standing_set statement transfer
transferred unpledge unpledged usage_meter validator verdict veto_recovery void voided vote voted withdraw withdrawn
active locked reserved final waiting refused unknown open live voluntary compliance own_consumption production_end
production_month_end payment_operator market_operator authority auditor rotation recovery quorum filled shared price
unopened outside stake no_class own_order cap spoilt none pyranometer plane satellite completed any_class all
"""

FIELDS, KINDS = tuple(_FIELDS.split()), tuple(_KINDS.split())
