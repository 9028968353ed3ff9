# spec/proto/*.proto to C with protobuf-c. Its output is not ours: it is built without our warnings.
