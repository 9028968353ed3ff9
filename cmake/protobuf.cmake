# spec/proto/*.proto to C with protobuf-c. Its output is not ours: it is built without our warnings,
# and its headers count as system headers, but sanitizers and hardening apply to it too.

tw_package(PROTOBUF_C libprotobuf-c>=1.4.1) # 1.4.1 fixed two CVEs
find_program(PROTOC_C protoc-c REQUIRED)

set(TW_PROTO_DIR ${PROJECT_SOURCE_DIR}/spec/proto)
set(TW_PROTO_GEN ${PROJECT_BINARY_DIR}/proto)
set(TW_PROTO_NAMES
  consumer_port
  data_source_descriptor
  ipc_frame
  producer_port
  relay_port
  service_state
  trace
  trace_config
  trace_stats
  track_event)
list(TRANSFORM TW_PROTO_NAMES PREPEND ${TW_PROTO_DIR}/ OUTPUT_VARIABLE TW_PROTO_IN)
list(TRANSFORM TW_PROTO_IN APPEND .proto)
list(TRANSFORM TW_PROTO_NAMES PREPEND ${TW_PROTO_GEN}/ OUTPUT_VARIABLE TW_PROTO_OUT)
list(TRANSFORM TW_PROTO_OUT APPEND .pb-c.c OUTPUT_VARIABLE TW_PROTO_RAW)
list(TRANSFORM TW_PROTO_OUT APPEND .c OUTPUT_VARIABLE TW_PROTO_C)
list(TRANSFORM TW_PROTO_OUT APPEND .pb-c.h OUTPUT_VARIABLE TW_PROTO_H)

file(MAKE_DIRECTORY ${TW_PROTO_GEN})
add_custom_command(
  OUTPUT ${TW_PROTO_RAW} ${TW_PROTO_H}
  COMMAND ${PROTOC_C} -I${TW_PROTO_DIR} --c_out=${TW_PROTO_GEN} ${TW_PROTO_IN}
  DEPENDS ${TW_PROTO_IN}
  COMMENT "Generating C from spec/proto"
  VERBATIM)
foreach(raw planned IN ZIP_LISTS TW_PROTO_RAW TW_PROTO_C) # with plans for the pre-scan
  add_custom_command(OUTPUT ${planned}
    COMMAND awk -f ${PROJECT_SOURCE_DIR}/cmake/plan.awk ${raw} > ${planned}
    DEPENDS ${raw} ${PROJECT_SOURCE_DIR}/cmake/plan.awk
    VERBATIM)
endforeach()

add_library(tw_proto STATIC ${TW_PROTO_C} ${TW_PROTO_H})
target_include_directories(tw_proto SYSTEM PUBLIC ${TW_PROTO_GEN})
target_include_directories(tw_proto PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(tw_proto PRIVATE -w)
target_link_libraries(tw_proto PRIVATE tw_flags PUBLIC PkgConfig::PROTOBUF_C)
