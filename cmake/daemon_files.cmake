# What comes with `tracewire serve` where it is installed: the command, its manual, systemd's files.
include(GNUInstallDirs)

configure_file(packaging/systemd/tracewire.service.in tracewire.service @ONLY)
install(TARGETS tracewire)
install(FILES docs/man/tracewire-record.1 docs/man/tracewire-serve.1 docs/man/tracewire-trace.1
  DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${PROJECT_BINARY_DIR}/tracewire.service
  packaging/systemd/tracewire-producer.socket packaging/systemd/tracewire-consumer.socket
  DESTINATION lib/systemd/system)
install(FILES packaging/systemd/tracewire.sysusers DESTINATION lib/sysusers.d
  RENAME tracewire.conf)
