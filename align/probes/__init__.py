"""What an aligned model could have lost, and by how much: probes, exam questions, references."""
