"""Reviewed: what vulture takes for unused, and what uses it. A line goes when the name goes."""

# pydantic: configuration of models and their validators, called by name
_.model_config
# hooks of libraries: httpx, httpcore, html.parser, http.server, socketserver, logging, ipywidgets, IPython, papermill, traitlets, msal-extensions, dask
_.auth_flow
_._network_backend
_.do_GET
_.handle
_.daemon_threads
_.block_on_close
_.do_POST
_.log_message
_.msg
_.exclude
_.include
_.disabled
_.tooltip
_._ipython_display_
_._render_traceback_
_.listdir
_.is_encrypted
_.pretty_path
_.kernel_spec
_._own_context
_.extract_cookies
_._cookies
_._created_context
_.reconnect_ivl
_.wait_for_ready
_.client_factory
_.shell_channel_class
_.iopub_channel_class
_._schedule_flush
_.init_control
_.init_iopub
_.init_heartbeat
_.init_kernel
_.iopub_socket
_.router_handover
_.linger
_.connection_file
_.get_execution_count
_.starting_dir
_._sys_modules_keys
_._master_pid
_.thread
_._encrypted_where_possible
_.execute_managed_notebook
_.WarmProvisioner
_.dask_setup
_.pgid
_.poll
# typer: commands by their decorator, options by their signature
_._verify
_._doctor
_._status
_._lab
_._init
_._rotate
_._teardown
_._records_verify
_._records_report
_._records_list
_._records_diff
_._report
_._secrets_set
_sign_in
_sign_out
_._secrets_get
_._secrets_list
_._secrets_remove
_._sign_in
_._sign_out
_.__signature__
_.__annotations__
# module attributes fetched when they are used (PEP 562)
__getattr__
__dir__
# named in data: a kind of secret store (secrets/reference.py), a parameter read from a record, options of a query,
# circumstances of an answer (clients/answers.json)
_.of_user
_.MountedFile
_.signing_key_ref
_.orderby
_.expand
_.secret_looks_like_id
_.account_active
_.consent_redirected
_.in_token
_.clock_skewed
# facts of the catalogue that its tests hold against Microsoft's own pages
_.setup_use
_.delegated_level
_.application_level
_.not_relied_on
_.default_top
_.success
_.docs_page
# read by the template of the panels (widgets/panels.html.j2)
_.for_phone
_.qr_code
_.toned
_.caveat
_.cannot
_.covered
_.pictures
# read by the template of the time line (records/timeline.svg.j2)
_.today
_.unused
_.legend
_.ticks
_.unraisablehook
