// SPDX-License-Identifier: Apache-2.0
#include "fuzz/oracle.h"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace pb = google::protobuf;

namespace
{

// The schema, as protoc understood it. Generated classes would take minutes to compile.
asm(".section .rodata\n"
    "oracle_schema: .incbin \"" ORACLE_SCHEMA "\"\n"
    "oracle_schema_end:\n"
    ".previous\n");
extern "C" const uint8_t oracle_schema[], oracle_schema_end[];

const pb::Message *Prototype(const char *name)
{
    static pb::DescriptorPool pool;
    static pb::DynamicMessageFactory factory(&pool);
    static std::unordered_map<std::string, const pb::Message *> known;
    static pb::LogSilencer silence;

    if (known.empty()) {
        pb::FileDescriptorSet files;
        if (!files.ParseFromArray(oracle_schema,
                                  static_cast<int>(oracle_schema_end - oracle_schema)))
            abort();
        for (const pb::FileDescriptorProto &file : files.file())
            if (!pool.BuildFile(file))
                abort();
    }
    const pb::Message *&prototype = known[name];
    if (!prototype) {
        const pb::Descriptor *d = pool.FindMessageTypeByName(name);
        if (!d)
            abort();
        prototype = factory.GetPrototype(d);
    }
    return prototype;
}

std::unique_ptr<pb::Message> Parse(const char *name, const uint8_t *p, size_t n)
{
    std::unique_ptr<pb::Message> msg(Prototype(name)->New());
    if (n > INT32_MAX)
        abort();
    return msg->ParsePartialFromArray(p, static_cast<int>(n)) ? std::move(msg) : nullptr;
}

std::string Encode(const pb::Message &msg)
{
    std::string out;
    {
        pb::io::StringOutputStream stream(&out);
        pb::io::CodedOutputStream coded(&stream);
        coded.SetSerializationDeterministic(true);
        msg.SerializePartialToCodedStream(&coded);
    }
    return out;
}

// An enum's number that it does not know lies with the unknown fields.
bool HasUnknownEnum(const pb::Message &msg)
{
    const pb::Reflection *r = msg.GetReflection();
    const pb::UnknownFieldSet &unknown = r->GetUnknownFields(msg);
    for (int i = 0; i < unknown.field_count(); i++)
        if (msg.GetDescriptor()->FindFieldByNumber(unknown.field(i).number()))
            return true;

    std::vector<const pb::FieldDescriptor *> fields;
    r->ListFields(msg, &fields);
    for (const pb::FieldDescriptor *f : fields) {
        if (f->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE)
            continue;
        if (!f->is_repeated()) {
            if (HasUnknownEnum(r->GetMessage(msg, f)))
                return true;
            continue;
        }
        for (int i = 0; i < r->FieldSize(msg, f); i++)
            if (HasUnknownEnum(r->GetRepeatedMessage(msg, f, i)))
                return true;
    }
    return false;
}

// Keeps the first error.
class FirstError : public pb::io::ErrorCollector
{
  public:
    std::string text;

    void AddError(int, int, const std::string &message) override
    {
        if (text.empty())
            text = message;
    }
};

} // namespace

bool oracle_accepts(const char *message, const uint8_t *p, size_t n)
{
    return Parse(message, p, n) != nullptr;
}

oracle_verdict oracle_compare(const char *message, const uint8_t *a, size_t n_a, const uint8_t *b,
                              size_t n_b)
{
    std::unique_ptr<pb::Message> left = Parse(message, a, n_a), right = Parse(message, b, n_b);
    if (!left || !right)
        return ORACLE_DIFFERENT;
    if (Encode(*left) == Encode(*right))
        return ORACLE_SAME;
    return HasUnknownEnum(*left) ? ORACLE_ENUM : ORACLE_DIFFERENT;
}

bool oracle_encode_text(const char *message, const uint8_t *text, size_t n, const uint8_t **ret_p,
                        size_t *ret_n, const char **ret_why)
{
    static std::string encoded;
    static FirstError error;
    std::unique_ptr<pb::Message> msg(Prototype(message)->New());
    pb::TextFormat::Parser parser;

    error.text.clear();
    parser.AllowPartialMessage(true);
    parser.RecordErrorsTo(&error);
    if (!parser.ParseFromString(std::string(reinterpret_cast<const char *>(text), n), msg.get())) {
        *ret_why = error.text.c_str();
        return false;
    }
    encoded = Encode(*msg);
    *ret_p = reinterpret_cast<const uint8_t *>(encoded.data());
    *ret_n = encoded.size();
    return true;
}
