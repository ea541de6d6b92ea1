//! Every behaviour of the store, on SQLite and on Postgres.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod store_behaviours;
mod store_support;

macro_rules! conformance {
    ($($group:ident { $($name:ident),+ $(,)? })+) => {
        mod sqlite {
            $(mod $group { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::store_behaviours::$group::$name(crate::store_support::sqlite().await).await;
                }
            )+ })+
        }
        mod postgres {
            $(mod $group { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::store_behaviours::$group::$name(crate::store_support::postgres().await).await;
                }
            )+ })+
        }
    };
}

conformance! {
    fence {
        an_attempt_is_its_workers_alone,
        a_result_of_another_configuration_is_not_taken,
        every_store_and_every_lease_is_one_of_its_kind,
        a_worker_that_registers_again_keeps_its_session,
        records_follow_one_another_up_to_the_jobs_epochs,
        an_outcome_is_borne_out_by_its_records,
        a_confusion_matrix_has_the_datasets_classes,
        a_worker_holds_no_more_jobs_than_it_registered_slots,
        a_worker_that_is_gone_and_held_nothing_is_forgotten_after_a_day,
        registrations_are_bounded,
        counts_are_those_of_the_jobs,
    }
    sweeps {
        a_sweep_is_stored_as_it_was_given,
        the_same_sweep_again_is_found_not_made,
        a_name_that_belongs_to_another_sweep_is_refused,
        the_same_sweep_from_many_clients_at_once_is_made_once,
        a_sweep_is_found_by_name_then_by_number,
        a_sweep_is_found_by_the_name_that_its_handle_was_made_from,
        an_unknown_sweep_is_named_with_the_most_similar_one,
        sweeps_are_listed_newest_first_with_their_counts,
        expansion_resumes_where_it_stopped,
        the_first_job_can_be_acquired_before_the_last_is_written,
        more_jobs_than_announced_or_equal_ones_are_refused,
        a_paused_sweep_hands_out_nothing_and_its_running_jobs_finish,
        resuming_a_sweep_with_nothing_left_completes_it,
        cancelling_ends_queued_and_running_jobs_at_once,
        a_cancelled_sweep_gets_its_missing_jobs_as_cancelled_ones,
        an_ended_sweep_refuses_commands,
        cancelling_while_others_acquire_leaves_nothing_running,
        a_sweep_without_a_number_of_jobs_is_read_like_any_other,
    }
    retry {
        failed_jobs_of_a_completed_sweep_return_to_the_queue,
        a_retried_job_has_all_its_attempts_again_and_the_next_number,
        lost_leases_of_before_a_retry_do_not_count,
        a_cancelled_sweep_goes_on_where_it_was,
        one_job_is_retried_by_its_number,
        a_failed_job_is_retried_while_the_others_go_on,
        an_ended_sweep_without_failures_has_nothing_to_retry,
        a_sweep_that_was_cancelled_before_its_jobs_were_written_gets_them_queued,
        statistics_are_those_of_the_end_that_followed_the_retry,
        retrying_while_others_acquire_hands_every_job_out_once,
    }
    remove {
        nothing_is_left_of_a_removed_sweep_and_all_of_the_others,
        artifacts_go_with_the_last_sweep_that_names_them_unless_somebody_just_asked,
        only_an_ended_sweep_is_removed,
        a_removed_sweep_answers_to_nothing_and_its_name_is_free,
        a_removal_goes_on_after_a_kill_at_any_point,
        two_that_remove_at_once_do_not_stand_in_each_others_way,
        a_late_worker_of_a_removed_sweep_has_lost_its_lease,
        many_records_are_removed_in_parts,
    }
    acquire {
        jobs_come_in_their_order_of_work_one_for_each_slot,
        no_more_than_asked_and_no_more_than_there_are,
        only_jobs_of_the_sweep_that_was_asked_for,
        a_worker_that_is_not_registered_or_has_left_gets_nothing,
        a_worker_of_another_trainer_version_is_told_what_waits,
        a_job_that_failed_waits_until_its_time,
        a_retried_job_keeps_its_place,
        the_same_request_again_gives_the_same_jobs,
        a_repeated_request_renews_what_it_finds,
        a_request_repeated_long_after_is_a_fresh_one,
        one_request_racing_on_two_coordinators_is_granted_once,
        lease_and_acquisition_are_one,
        attempt_numbers_never_go_back,
    }
    report {
        records_come_back_bit_for_bit,
        a_number_that_is_not_finite_is_stored_as_none,
        a_record_that_is_there_is_left_as_it_is,
        answers_come_in_the_order_of_the_reports_and_a_stale_job_spoils_none,
        a_report_renews_the_lease,
        a_lease_past_its_deadline_counts_until_somebody_settles_it,
        a_delayed_report_does_not_shorten_the_lease,
        an_attempt_that_was_replaced_is_told_so,
        records_that_cannot_be_are_refused,
        an_empty_report_is_fine,
        a_renewal_waits_for_no_row_of_its_worker,
        an_attempt_that_is_reported_twice_at_once_spoils_no_other_report,
    }
    shape {
        a_job_of_another_trainer_goes_from_the_queue_to_the_views_with_metrics_of_its_own,
        a_first_record_may_be_of_step_0_where_the_trainer_counts_so,
        numbers_beyond_the_bounds_of_their_trainer_are_refused,
        the_checked_specification_is_kept_beside_the_file,
    }
    complete {
        a_result_fills_the_columns_of_its_run,
        the_last_job_completes_the_sweep,
        the_last_two_jobs_ending_at_once_complete_the_sweep,
        completing_twice_is_one_completion,
        one_accepted_result_per_job,
        racing_completions_of_one_attempt_are_one,
        a_completion_for_a_job_that_never_was_is_a_lost_lease,
        a_gap_between_epochs_is_refused_and_changes_nothing,
        a_diverged_job_has_no_score,
        a_stopped_job_is_ranked_by_what_it_had,
        the_best_epoch_counts_where_the_sweep_says_so,
        a_failed_attempt_with_attempts_left_goes_back_to_the_queue,
        the_third_failure_is_the_last,
        what_a_retry_would_not_mend_is_not_retried,
        a_confusion_matrix_is_kept_with_its_job,
        a_model_that_is_not_stored_is_refused,
        a_run_names_the_model_of_its_objective,
        only_the_best_job_keeps_its_models_where_the_sweep_says_so,
        no_job_keeps_its_models_where_the_sweep_says_so,
    }
    artifacts {
        a_model_goes_with_the_last_run_that_names_it,
        a_model_that_somebody_may_be_about_to_name_stays,
        a_dataset_is_no_model,
    }
    give_back {
        a_released_job_costs_nothing,
        releasing_again_is_fine_and_releasing_what_is_gone_is_not,
        a_worker_that_leaves_gives_back_all_it_holds,
        a_job_whose_dataset_is_missing_costs_nothing_and_its_sweep_waits,
        a_dataset_that_is_stored_again_ends_the_wait_for_it,
        a_job_that_was_given_back_or_has_ended_no_longer_says_what_it_waited_for,
        a_job_that_ran_while_its_dataset_was_stored_again_waits_as_if_for_the_first_time,
        a_sweep_that_waits_for_its_dataset_holds_up_no_other_sweep,
        a_machine_that_lacks_something_keeps_its_job_for_a_while_and_no_other,
        what_else_ends_an_attempt_ends_the_growth_of_its_waits,
        a_lost_lease_returns_its_job_at_once_the_first_time,
        a_lost_job_names_its_worker_and_its_last_sign_of_life,
        the_fifth_loss_is_the_last,
        losses_and_failures_are_counted_apart,
        at_most_so_many_leases_are_settled_at_once,
        two_reapers_settle_each_lease_once,
    }
    reads {
        the_best_runs_come_by_score_then_by_job,
        runs_are_read_after_a_job_and_only_those_of_the_sweep,
        history_and_attempts_show_what_runs,
        progress_counts_epochs_and_shows_who_trains_what,
        records_of_a_lost_attempt_do_not_count,
        a_worker_registers_again_under_its_instance,
        workers_show_what_they_hold_and_whether_they_left,
        a_worker_that_has_not_called_for_two_leases_is_gone_and_leaves_the_list_after_a_day,
        a_worker_that_only_waits_costs_no_commit_and_is_noted_with_others,
        a_store_for_reading_reads_and_refuses_changes,
        every_read_of_an_empty_store_is_empty,
    }
    statistics {
        a_configuration_is_summed_over_its_seeds,
        a_retried_job_counts_once_and_one_that_was_lost_too_often_as_failed,
        importance_is_worked_out_every_ten_seconds_and_when_the_sweep_ends,
        no_completion_works_out_importance_and_none_is_lost_with_a_coordinator,
        of_several_coordinators_one_works_out_importance,
        importance_that_cannot_be_worked_out_takes_its_turns_and_no_others,
        importance_is_worked_out_for_a_cancelled_sweep_and_one_parameter_at_a_time,
        runs_of_one_configuration_that_end_at_once_are_all_summed,
        runs_that_ended_before_there_were_statistics_catch_up,
        a_run_that_cannot_be_read_is_left_out_and_those_behind_it_catch_up,
        a_confusion_matrix_is_read_by_pair_and_by_class,
        matrices_of_many_classes_keep_the_pairs_that_are_not_0_and_beyond_1024_classes_the_sums,
        failures_are_the_attempts_that_ended_badly,
        the_slowest_runs_come_first_with_what_their_configuration_takes,
    }
    invariants {
        one_row_per_point,
        acknowledged_means_durable,
        every_request_can_be_repeated,
        a_caller_that_hangs_up_leaves_no_transaction_behind,
        the_databases_clock_decides,
        the_tables_refuse_rows_that_cannot_be,
        a_row_that_does_not_parse_is_reported_not_guessed,
        a_sweep_of_ten_thousand_jobs_is_written_in_one_batch,
    }
}
